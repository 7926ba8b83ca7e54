"""The exercises, by session of the course.

NAME.yaml is a preset: the configuration of an exercise, whose first comment says in a line what it is. NAME.py holds
the LightningModule that presets name. What only one session's exercises share lies in that session's folder.
"""
