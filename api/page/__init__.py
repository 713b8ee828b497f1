"""What people see of a question: a page of plain HTML that needs no script."""
