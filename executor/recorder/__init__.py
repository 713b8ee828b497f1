"""Recorder: all writes of one worker, committed in groups."""
