"""The page of `make report`, a file a part.

`evidence` gathers facts, `claims` judges them, `window` and `drawing` show the downtime, `page` and `plain` write the
page and its plain text twin.
"""
