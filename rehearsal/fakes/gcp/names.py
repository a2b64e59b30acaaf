"""The one project that the fake has."""

PROJECT, NUMBER = "rehearsal-project", "123456789012"
