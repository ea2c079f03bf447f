"""Models and runs that come from other programs and go to them: files in, files out.

Whatever is read here was written by strangers: every reader bounds what it takes, and answers in one sentence.
"""
