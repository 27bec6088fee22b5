"""The page of `make report`, one file per part.

`evidence` gathers facts, `claims` judges them, `window` and `drawing` show the downtime, `page` and `plain` write the
page and its plain text twin.
"""
