"""`python -m karnak` is the command `karnak`."""

from karnak.cli.app import main

if __name__ == "__main__":
    main()
