"""Tags as the standard writes them, with an X for any digit: 60XX3000.

A group such as 60XX stands for its even groups only: odd ones are private and mean something else (PS3.5 7.8).
"""

GROUP_LOW_BIT = 0x00010000


def parse_pattern(text: str) -> tuple[int, int]:
    """Turn eight digits with wildcards into the fixed bits and the mask that says which they are.

    Args:
        text: eight characters, hexadecimal digits or X.

    Returns:
        (tag, mask): a tag t is meant when t & mask == tag.

    Raises:
        ValueError: the text is something else.
    """
    if len(text) != 8:
        raise ValueError("a tag has eight digits")
    tag = mask = 0
    for character in text:
        wild = character in "Xx"
        tag = tag << 4 | (0 if wild else int(character, 16))
        mask = mask << 4 | (0 if wild else 0xF)
    return tag, mask


def even_groups(tag: int, mask: int) -> tuple[int, int]:
    """Narrow a pattern of the standard to even groups, if its group has a wildcard at the end."""
    return (tag, mask) if mask & GROUP_LOW_BIT else (tag, mask | GROUP_LOW_BIT)


def format_pattern(tag: int, mask: int) -> str:
    """Write a pattern as people do: (60XX,3000)."""
    digits = "".join(f"{tag >> shift & 0xF:X}" if mask >> shift & 0xF == 0xF else "X" for shift in range(28, -4, -4))
    return f"({digits[:4]},{digits[4:]})"
