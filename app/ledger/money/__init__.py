"""The money road's SQL: the book, its statements, the rows they take and the facts they bring."""
