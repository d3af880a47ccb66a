"""Verdicts over time: when it began, the last clean version of each file, and what to restore. Pure."""

from vigie.timeline.plan import Choice, Lost, Plan, Why, plan
from vigie.timeline.story import Row, Story, Timeline, one_machine

__all__ = ["Choice", "Lost", "Plan", "Row", "Story", "Timeline", "Why", "one_machine", "plan"]
