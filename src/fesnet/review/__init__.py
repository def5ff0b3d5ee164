"""Look at results in the browser, correct them, and keep both versions; extra `review` for the web
application.

journal     NAME.review.json: what was done, by whom and when; the present state follows from it
view        the machine's proposals and a person's corrections -> the intervals to be seen
editing     an edit as the page asks for it -> an entry of the journal
library     the folder: which videos and results there are, which files may be served
worker      spotting in the background
agree       machine and person, or two people, by `fesnet.metrics`
guard, app, serve    the web application; only these need the extra
"""

from fesnet.review.merge import read_reviewed

__all__ = ["read_reviewed"]
