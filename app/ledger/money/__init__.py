"""The SQL of movements: the book, its statements, the rows they take and the facts they return."""
