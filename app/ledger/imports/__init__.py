"""A file of another wallet in temporary tables, checked as a whole, and written as one transaction.

1. `session`  the transaction, and the advisory lock of who imports
2. `staging`  the file's records, through COPY; what is wrong with the file as a whole, by line
3. `writing`  accounts, journal, keys, rounds and notes, through COPY; wallets and tokens; then the
              audit's laws of these players, before anything is committed

The transaction is READ COMMITTED, and needs no more: nobody can read or change a player before it
commits, and the uniqueness of user ids and transaction ids is their indexes'. At SERIALIZABLE its
locks would cover whole tables, and movements of others would be run again because of it.

Rows are written without the number of the transaction: the platform knows what it moved, and no
event tells of it (see `event_log`).
"""
