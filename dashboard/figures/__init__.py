"""Pure functions from arrays to pictures: no streamlit, no file access."""
