"""Review results in the browser: correct them and keep both versions.

review_file     NAME.review.json: all edits, by whom and when; the present state follows from them
merge           the machine's proposals and a person's corrections -> the intervals to show
edits           a request of the page -> an edit of the review
review_state    one video as the page shows it
video_library   the videos and results of the work folder, and which files may be served
background      spotting in a background thread
agreement       of machine and person, or of two people
access, upload, app, server    the web application; only these need the extra `review`
"""

from fesnet.review.merge import read_reviewed

__all__ = ["read_reviewed"]
