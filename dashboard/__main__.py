"""`rbm-observatory`, or `python -m dashboard`: the app, wherever one stands; options are those of `streamlit run`."""

import sys
from pathlib import Path

from streamlit.web import cli


def main() -> None:
    """Starts the app's server and stays until it ends; Streamlit finds the app's settings beside app.py."""
    app = Path(__file__).with_name("app.py")
    cli.main_run.main([str(app), *sys.argv[1:]], prog_name="rbm-observatory")


if __name__ == "__main__":
    main()
