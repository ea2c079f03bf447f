"""Figures and tables of the Compare page: several runs side by side."""
