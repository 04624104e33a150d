"""Lines of the executor and what each is broken into; the suite must notice every one.

Each is a mistake that somebody could make: a bound, a bit, a level, an order.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """One broken line.

    Attributes:
        file: below karnak/.
        line: as it stands there, once, without its indentation.
        broken: what stands there instead.
        breaks: what goes wrong then.
    """

    file: str
    line: str
    broken: str
    breaks: str


MUTATIONS = (
    Mutation(
        "runtime/scan.py",
        "elif after > end:",
        "elif after > end + 8:",
        "a value may run over the end of what encloses it",
    ),
    Mutation(
        "runtime/scan.py",
        "inside = f_implicit[top] or vr == _UN",
        "inside = f_implicit[top]",
        "sequences in unknown values are read in the encoding around them",
    ),
    Mutation(
        "runtime/scan.py",
        "elif tag <= f_previous[top] or tag >> 16 == 0xFFFE:",
        "elif tag < f_previous[top] or tag >> 16 == 0xFFFE:",
        "a tag may stand twice",
    ),
    Mutation(
        "runtime/scan.py",
        "elif f_depth[top] + 1 > MAX_DEPTH:",
        "elif f_depth[top] > MAX_DEPTH:",
        "sequences nest one level too deep",
    ),
    Mutation(
        "runtime/plan.py",
        "if f_creators[top] > 0 and (ended or (not row_is_item and group != f_group[top])):",
        "if f_creators[top] > 0 and (ended or group != f_group[top]):",
        "a private block after a sequence loses its creator",
    ),
    Mutation(
        "runtime/plan.py",
        "f_context[top] = rows[rows[i, PARENT], CHILD]",
        "f_context[top] = f_context[top - 1]",
        "items have the rules of the dataset around them",
    ),
    Mutation(
        "runtime/plan.py",
        "creators[top, block, _K_IN_OUTPUT] = 1",
        "creators[top, block, _K_IN_OUTPUT] = 0",
        "private creators go though their blocks stay",
    ),
    Mutation(
        "runtime/plan.py",
        "if element == 0 or tag == _TRAILING_PADDING:",
        "if tag == _TRAILING_PADDING:",
        "group lengths stay",
    ),
    Mutation(
        "runtime/assemble.py",
        "rows[parent, DELTA] += after - before",
        "rows[parent, DELTA] += after",
        "lengths of sequences are wrong",
    ),
    Mutation(
        "runtime/assemble.py",
        "room += 16 + (rows[i, END] - rows[i, HEADER] if rows[i, LENGTH] <= LONG_RUN else 0)",
        "room += 16 + (rows[i, LENGTH] if rows[i, LENGTH] <= LONG_RUN else 0)",
        "delimiters overrun the room that was measured",
    ),
    Mutation(
        "runtime/assemble.py",
        "if kind & RESERVED_USED:",
        "if kind & RESERVED_USED and not kind & SEQUENCE:",
        "reserved bytes of sequences pass something on",
    ),
    Mutation(
        "runtime/assemble.py",
        "_PIECES_PER_STEP = 8",
        "_PIECES_PER_STEP = 2",
        "pieces are written outside of their array",
    ),
    Mutation(
        "runtime/derive.py",
        "known_amount = way != _MOVED or amounts[argument, KNOWN] != 0",
        "known_amount = True",
        "dates move by an amount that nobody knows",
    ),
    Mutation(
        "runtime/derive.py",
        "same = known[place, 0] == size",
        "same = True",
        "a UID that begins another one becomes the same",
    ),
    Mutation(
        "runtime/date_bytes.py",
        "return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28",
        "return 29 if year % 4 == 0 else 28",
        "1900 has a 29th of February",
    ),
    Mutation(
        "runtime/sha256.py",
        "blocks = (size + _PADDING + BLOCK - 1) // BLOCK",
        "blocks = (size + BLOCK) // BLOCK",
        "digests of long UIDs are not those of the interpreter",
    ),
    Mutation(
        "runtime/table.py",
        "insert(new.keys, new.values, int(old.keys[slot]), old.values[slot])",
        "insert(new.keys, new.values, int(old.keys[slot]), 0)",
        "a table that has grown takes one cell for another",
    ),
    Mutation(
        "runtime/lower.py",
        "if not self.guards[index] or not rule.selector.selects(path, vr):",
        "if not rule.selector.selects(path, vr):",
        "rules apply whatever their conditions say",
    ),
    Mutation(
        "runtime/lower.py",
        "inner = Context(verdict.index, verdict.decision, path)",
        "inner = Context(context.limit, verdict.decision, path)",
        "later rules reach into sequences that an earlier one decided",
    ),
    Mutation(
        "runtime/lower.py",
        "before = verdict.role is Role.SEQUENCE or (is_private(tag) and _may_remove(verdict))",
        "before = verdict.role is Role.SEQUENCE",
        "creators stay though expressions empty their blocks",
    ),
    Mutation(
        "runtime/lower.py",
        "verdict = replace(verdict, index=step.index, decision=Decision(verb or Verb.EXCLUDE, step.rule))",
        "verdict = replace(verdict, index=len(self.rules) - 1, decision=Decision(verb or Verb.EXCLUDE, step.rule))",
        "items have rules behind the one whose expression decided their sequence",
    ),
    Mutation(
        "runtime/plan.py",
        "if top == 0 or op == _OP_CALL:",
        "if top == 0:",
        "creators in items are decided before what comes after them",
    ),
    Mutation(
        "runtime/rewrite.py",
        "self.rows[row, EDIT] = KEPT",
        "...",
        "creators go though something is added to their blocks",
    ),
    Mutation(
        "runtime/making.py",
        "return self.inherited[row]",
        "return replace(self.inherited[row], text=\"\")",
        "items inherit no text that an expression gave their sequence",
    ),
    Mutation(
        "runtime/candidates.py",
        "self._exact = {tag: tuple(sorted(indices | wide)) for tag, indices in exact.items()}",
        "self._exact = {tag: tuple(sorted(indices)) for tag, indices in exact.items()}",
        "rules with wildcards are not asked about tags that another rule names",
    ),
    Mutation(
        "runtime/making.py",
        "restore(self.root.rows, row)",
        "...",
        "a dummy stands for content that an expression wanted kept",
    ),
    Mutation(
        "runtime/conditions.py",
        "if number >= self._guards:",
        "if number > self._guards:",
        "an expression that is never asked rejects the instance",
    ),
    Mutation(
        "runtime/stamp.py",
        "data[self.time : self.time + len(time)] = time",
        "data[self.time : self.time + 6] = time[:6]",
        "the second instance has the microseconds of the first",
    ),
    Mutation(
        "ir/tree.py",
        "return expression.type == BOOL and _reads_root(expression) and not _reads_current(expression)",
        "return expression.type.kind is BOOL.kind and _reads_root(expression) and not _reads_current(expression)",
        "a question without an answer is answered no",
    ),
)  # fmt: skip
