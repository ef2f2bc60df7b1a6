"""One delivery's way through a worker: take, render, attempt, record, then retry or end.

Shared by senders (e-mail, SMS) and realtime (push), which differ only in the attempt itself.
"""
