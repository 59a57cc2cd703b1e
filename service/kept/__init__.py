"""What of requests is kept on disk, and how little of it: decisions, answers that clients rated.

``own_file`` is the log that only this user may read; ``redaction`` says what of a text stands in it.
"""
