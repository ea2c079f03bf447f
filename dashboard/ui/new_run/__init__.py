"""The sidebar's form for a new run: a preset first, the data set, a few settings, the rest folded.

Settings that cannot be trained are named under their field, in its label's words, before Start is pressed.
"""

from dashboard.ui.new_run.fields import daring as daring
from dashboard.ui.new_run.fields import label as label
from dashboard.ui.new_run.fields import wrong as wrong
from dashboard.ui.new_run.form import is_open as is_open
from dashboard.ui.new_run.form import offer_to_go_on as offer_to_go_on
from dashboard.ui.new_run.form import opened_by_button as opened_by_button
from dashboard.ui.new_run.form import propose as propose
from dashboard.ui.new_run.form import sidebar as sidebar
