"""The inbox page: a window in which a person looks at the mailbox and decides about plans.

The page has two doors: `app` shows it inside an assistant's app, `browser` in the user's own browser. Both call the
same `operations`.
"""
