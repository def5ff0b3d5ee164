"""A study: a folder of results as one thing, with participants, conditions and corrections.

results       all results of a folder, each in the version that counts
rules         other rules over a folder, from stored scores
corrections   corrections made in ELAN, Praat, BORIS or a table
videos        what tables and figures need of each result
markers       stimuli and other stretches of time, from a table
tables        expressions.csv, summary.csv, participants.csv, by_marker.csv, also for SPSS
statistics    means of groups with bootstrap intervals, differences with permutation tests
figures       raster plot and bars as SVG
index_page    one page over all of it
summarize     all files of a study at once
"""

from fesnet.study.results import StudyResult, find_results, read_version

__all__ = ["StudyResult", "find_results", "read_version"]
