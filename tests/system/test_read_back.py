"""`karnak doctor --read-back`: what Orthanc has of what it said it has, asked beside a gateway that runs."""

import json
import urllib.request
from pathlib import Path

from tests.system.programs import DEIDENTIFIED, karnak, node, orthanc, storescu, to_folder
from tests.system.studies import make


def test_what_was_deleted_at_the_archive_is_missed(tmp_path: Path) -> None:
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"trial": "secret"}}
    as_trial = {"Authorization": "Basic dHJpYWw6c2VjcmV0"}
    with orthanc(tmp_path / "orthanc", dicomweb=True, **users) as archive:
        folder = tmp_path / "karnak"
        folder.mkdir()
        (folder / "password").write_text("secret")
        (folder / "password").chmod(0o600)
        auth = "auth: { type: basic, user: trial, password_file: password }"
        to_archive = f'name: research, type: stow, url: "{archive.http}/dicom-web", {auth}, {DEIDENTIFIED}'
        with karnak(folder, node(to_archive, to_folder("disk", "out"))) as gateway:
            files = [make("ct", tmp_path, number) for number in (1, 2, 3)]
            assert storescu(gateway.port, *files).returncode == 0
            gateway.settled()
            whole = gateway.command("doctor", "--read-back", "10")
            assert (whole.returncode, whole.stderr) == (0, "")
            assert whole.stdout == "     ok  research has 3 of the last 3 delivered to it\n"

            records = json.loads(gateway.command("ledger", "--by", "instance", "--format", "json").stdout)["instances"]
            gone = records[1]
            (uid,) = [fate["new"]["sop_instance_uid"] for fate in gone["fates"] if fate["destination"] == "research"]
            (name,) = [
                name
                for name in json.loads(archive.get("/instances", as_trial))
                if json.loads(archive.get(f"/instances/{name}/simplified-tags", as_trial))["SOPInstanceUID"] == uid
            ]
            order = urllib.request.Request(f"{archive.http}/instances/{name}", headers=as_trial, method="DELETE")
            urllib.request.urlopen(order, timeout=30).close()

            missed = gateway.command("doctor", "--read-back", "10", "--format", "json")
            assert missed.returncode == 1
            (finding,) = json.loads(missed.stdout)["findings"]
            assert finding["what"] == "research does not have 1 of the last 3 delivered to it"
            assert finding["receipts"] == [gone["receipt"]]
            # It is the second last.
            assert gateway.command("doctor", "--read-back", "1").returncode == 0

            # The whole study is gone.
            (study,) = json.loads(archive.get("/studies", as_trial))
            order = urllib.request.Request(f"{archive.http}/studies/{study}", headers=as_trial, method="DELETE")
            urllib.request.urlopen(order, timeout=30).close()
            none = gateway.command("doctor", "--read-back", "2")
            assert none.returncode == 1
            assert "research does not have 2 of the last 2 delivered to it" in none.stdout

            (folder / "password").write_text("wrong")
            refused = gateway.command("doctor", "--read-back", "10")
            assert refused.returncode == 1
            assert "research can't be asked for what it has: the service answers a search with 401" in refused.stdout
            (folder / "password").unlink()
            unread = gateway.command("doctor", "--read-back", "10")
            assert unread.returncode == 2
            assert "the file password can't be read" in unread.stderr
