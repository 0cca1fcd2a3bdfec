"""Durable jobs: the Django app that runs the tasks that `django.tasks` enqueues in the database.

`onloop.tasks.views` and `onloop.tasks.watch.follow()` are for projects. Nothing is exported here,
because Django imports an app's package before models can be imported.
"""
