"""How pages write sentences, durations and names."""


def sentence(error: object) -> str:
    """An error's message as a sentence: a capital first, a full stop last."""
    text = str(error).strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def duration(seconds: float) -> str:
    """`45 s`, `1 min 20 s`, `25 min`, `2 h 5 min`: seconds below ten minutes, minutes above."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def unbroken_duration(seconds: float) -> str:
    """`duration`, with spaces at which no line breaks."""
    return duration(seconds).replace(" ", "\u00a0")


def plain(text: str) -> str:
    """The text with every character escaped that means something in Markdown."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]()#+-.!:$~<>|" else c for c in text)
