"""Durable jobs: the Django app that runs what `django.tasks` enqueues in the database.

`onloop.tasks.views` and `onloop.tasks.watch.follow()` are for projects. Nothing is exported here:
Django imports the package of an app before models can be.
"""
