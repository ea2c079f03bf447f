"""The Streamlit app: it reads runs and starts trainers, and never trains in its own process."""
