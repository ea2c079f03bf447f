"""Nothing to be seen: gives every press of the page its sign, and tells the page when the reader's colours change."""

from dashboard import components

mount = components.load("tab", "wire", "sign", "tab")
