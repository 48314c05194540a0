"""Workspaces and the people in them: invitations, roles, sign-in, sessions, second factors, API keys."""
