"""The connection between a page and the app, held between the two by a test."""

import re
from collections.abc import Callable, Sequence

from playwright.sync_api import Page, WebSocketRoute
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState


class Line:
    """carries: what reaches the app in place of a question of the page. asked: those of its timer are left out."""

    def __init__(self) -> None:
        self.carries: Callable[[ClientState], Sequence[ClientState]] = lambda question: [question]
        self.asked: list[ClientState] = []

    def lay(self, page: Page) -> None:
        """Lays the line of a page that is not open yet."""
        page.route_web_socket(re.compile("_stcore/stream"), self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        app = page.connect_to_server()

        def carry(message: bytes | str) -> None:
            assert isinstance(message, bytes)
            said = BackMsg.FromString(message)
            if not said.HasField("rerun_script"):
                app.send(message)
                return
            if not said.rerun_script.is_auto_rerun:
                self.asked.append(said.rerun_script)
            for question in self.carries(said.rerun_script):
                app.send(BackMsg(rerun_script=question).SerializeToString())

        page.on_message(carry)
