"""Pages for people: questions and authorizations as plain HTML that needs no script."""
