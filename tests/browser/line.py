"""The connection between a page and the app, held between the two by a test."""

import re
from collections.abc import Callable, Sequence

from playwright.sync_api import Page, WebSocketRoute
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState


class Line:
    """carries: what reaches the app in place of a question of the page. asked: the questions so far, but for those of
    the page's timer, of which `refreshed` is the last.
    """

    def __init__(self) -> None:
        self.carries: Callable[[ClientState], Sequence[ClientState]] = lambda question: [question]
        self.asked: list[ClientState] = []
        self.refreshed: ClientState | None = None
        self._app: WebSocketRoute | None = None

    def lay(self, page: Page) -> None:
        """Lays the line of a page that is not open yet."""
        page.route_web_socket(re.compile("_stcore/stream"), self._connect)

    def _connect(self, page: WebSocketRoute) -> None:
        app = self._app = page.connect_to_server()

        def carry(message: bytes | str) -> None:
            assert isinstance(message, bytes)
            said = BackMsg.FromString(message)
            if not said.HasField("rerun_script"):
                app.send(message)
                return
            if said.rerun_script.is_auto_rerun:
                self.refreshed = said.rerun_script
            else:
                self.asked.append(said.rerun_script)
            for question in self.carries(said.rerun_script):
                self.ask(question)

        page.on_message(carry)

    def ask(self, question: ClientState) -> None:
        """Puts the question to the app, as if the page had."""
        assert self._app is not None
        self._app.send(BackMsg(rerun_script=question).SerializeToString())
