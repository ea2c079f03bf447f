"""Numbers as pictures, tables and pages write them."""


def minus(text: str) -> str:
    """A number's text with a true minus sign, as wide as a plus: `−0.12`."""
    return text.replace("-", "−")


def significant(x: float, digits: int = 3) -> str:
    """The number with this many significant digits: `−0.123`, `1.23e+06`."""
    return minus(f"{x:.{digits}g}")
