"""Every command of the console: its words, where its code is, and the summary that help shows.

A summary is the first sentence of the command's own help; a test holds both equal.
"""

from typing import Final

from app.console.deferred import Row

TABLE: Final[dict[str, tuple[Row, ...]]] = {
    "Run it": (
        Row(
            "serve",
            "serve:serve_command",
            "Serve the two contracts; with no database named, on an embedded PostgreSQL.",
        ),
        Row(
            "backoffice",
            "backoffice:backoffice_command",
            "Serve the back office: the pages of support, risk, finance and compliance.",
        ),
        Row(
            "demo",
            "demo:demo_command",
            "Print what `make run` printed again: players with fresh tokens, and a bet to paste.",
        ),
        Row(
            "migrate",
            "migrate:migrate_command",
            "Bring the database's schema to the newest revision, as the role that owns it.",
        ),
        Row(
            "status",
            "status:status",
            "Say what runs here and how it fares; exit code 1 if anything is wrong.",
        ),
        Row(
            "tail",
            "tail:tail",
            "Follow movements as they are decided, of everybody or of one player; Ctrl-C ends it.",
        ),
        Row(
            "completion",
            "completion:completion_command",
            "Print a script that makes a shell complete commands and options: `source` it.",
        ),
        Row(
            "deliver",
            "deliver:deliver_command",
            "Send webhooks of what happens to the endpoints of WALLET_WEBHOOKS, until stopped.",
        ),
        Row(
            "deliveries", "deliveries:deliveries", "Webhooks: what was delivered, and what was not."
        ),
        Row(
            "deliveries show",
            "deliveries:deliveries",
            "Show how far each endpoint has heard, and what it has not taken.",
        ),
        Row(
            "deliveries retry",
            "deliveries:deliveries",
            "Try everything again now that an endpoint has not taken, what was given up included.",
        ),
        Row(
            "deliveries replay",
            "deliveries:deliveries",
            "Deliver again what an endpoint has heard, after a cursor; ids stay as they were.",
        ),
        Row(
            "project",
            "project:project_command",
            "Read bet slips out of what was decided, for reports and alarms, until stopped.",
        ),
        Row("backup", "backup:backups", "What is known of backups."),
        Row(
            "backup note",
            "backup:backups",
            "Note that a backup ended well; the script that makes it calls this at its end.",
        ),
        Row("restored", "restored:restored", "A ledger that was restored to a moment."),
        Row(
            "restored show",
            "restored:restored",
            "Show the ledger's time lines, and what must be asked of others after a restore.",
        ),
        Row(
            "restored accept",
            "restored:restored",
            "Say that the restored ledger may be served; servers go on by themselves.",
        ),
        Row(
            "restored mark",
            "restored:restored",
            "Mark the ledger as restored where no server noticed it; none serves before `accept`.",
        ),
        Row(
            "settings",
            "settings:settings",
            "The settings that decide money, as the ledger remembers.",
        ),
        Row("settings show", "settings:settings", "Show what the ledger remembers."),
        Row(
            "settings change",
            "settings:settings",
            "Change one setting, as the role that owns the schema; who did it is kept.",
        ),
        Row("buckets", "buckets:buckets", "The schemas that hold the players."),
        Row(
            "buckets show",
            "buckets:buckets",
            "Show where each bucket is, how large, and how many movements a second it has.",
        ),
        Row(
            "buckets move",
            "buckets:buckets",
            "Move a bucket to another node of a Citus cluster, while it is served.",
        ),
        Row(
            "buckets split",
            "buckets:buckets",
            "Move the players of one bucket into several, while nothing is served; audited twice.",
        ),
        Row(
            "buckets settle",
            "buckets:buckets",
            "Note as not done what was noted, and not done on the player's node; exit 1 if one is"
            " away.",
        ),
        Row("scope", "settings:scope", "What a transaction id of the game side names."),
        Row(
            "scope widen",
            "settings:scope",
            "Let a transaction id name its event type and direction, too; it is never narrowed.",
        ),
        Row("limits", "settings:limits", "The days that players' limits count in."),
        Row(
            "limits rezone",
            "settings:limits",
            "Count limits in another time zone's days from now on.",
        ),
        Row("game", "games:games", "Which product a game belongs to: sport, casino, live …"),
        Row(
            "game set",
            "games:games",
            "Name a game's product, from half a minute on: every server has read it by then.",
        ),
        Row("game show", "games:games", "Show every game that has a name."),
    ),
    "Who acts": (
        Row(
            "login",
            "users:login",
            "Sign in at this console; from then on your name stands with what you do here.",
        ),
        Row("logout", "users:logout", "End the session that was begun at this console."),
        Row("user", "users:people", "The operator's people: who may sign in, and as what."),
        Row(
            "user add",
            "users:people",
            "Add a person, with a temporary password and a key for their authenticator app.",
        ),
        Row(
            "user reset",
            "users:people",
            "Give a person a new temporary password and a new key; their sessions end.",
        ),
        Row(
            "user roles",
            "users:people",
            "Give a person these roles and no others; without `--role`, none at all.",
        ),
        Row(
            "user disable",
            "users:people",
            "Let a person sign in no more; their sessions end now.",
        ),
        Row("user enable", "users:people", "Let a disabled person sign in again."),
        Row(
            "user list",
            "users:people",
            "List everybody, with their roles and when they signed in last.",
        ),
    ),
    "Players and money": (
        Row("player", "players:players", "Open accounts, show them, block them, limit them."),
        Row(
            "player open",
            "players:players",
            "Open an account with an empty wallet; one that is there already stays as it is.",
        ),
        Row(
            "player show",
            "players:players",
            "Show a player's balance, account settings and last movements.",
        ),
        Row(
            "player block",
            "players:players",
            "Refuse a player's play and deposits; money that comes back is never refused.",
        ),
        Row(
            "player unblock",
            "players:players",
            "Lift a block; a player's own exclusion ends by itself, and nobody lifts it.",
        ),
        Row(
            "player exclude",
            "players:players",
            "Exclude a player from play and deposits; an exclusion is only ever made longer.",
        ),
        Row(
            "player limits",
            "players:players",
            "Show a player's limits, or set some: `deposit_day=100.00 stake_day:casino=none`.",
        ),
        Row("token", "tokens:tokens", "The tokens that games are launched with."),
        Row(
            "token issue",
            "tokens:tokens",
            "Issue a token for launching a game; it is shown once, and kept only as a hash.",
        ),
        Row(
            "token revoke",
            "tokens:tokens",
            "Let a player's tokens expire now; money still comes back under them.",
        ),
        Row(
            "deposit",
            "funds:deposit",
            "Put real money into a player's wallet; exit code 1 if it is refused.",
        ),
        Row(
            "withdraw",
            "funds:withdraw",
            "Take real money out of a player's wallet; exit code 1 if it is refused.",
        ),
        Row(
            "grant",
            "funds:grant",
            "Put bonus money into a player's wallet; exit code 1 if it is refused.",
        ),
        Row(
            "revoke",
            "funds:revoke",
            "Take bonus money out of a player's wallet; exit code 1 if it is refused.",
        ),
        Row("hold", "holds:holds", "Withdrawals under way: begin one, pay it out, give it back."),
        Row(
            "hold open",
            "holds:holds",
            "Take real money out of the balance for a withdrawal; exit code 1 if it is refused.",
        ),
        Row(
            "hold settle", "holds:holds", "Record that a withdrawal under way was paid out, whole."
        ),
        Row(
            "hold release",
            "holds:holds",
            "Give the money of a withdrawal under way back to the player, whole.",
        ),
        Row("adjust", "adjust:adjustments", "Move money by hand: two people, one movement."),
        Row(
            "adjust propose",
            "adjust:adjustments",
            "Ask for an adjustment; nothing moves before another person approves it.",
        ),
        Row(
            "adjust approve",
            "adjust:adjustments",
            "Approve what another person asked for; the money moves now, once.",
        ),
        Row(
            "adjust reject",
            "adjust:adjustments",
            "End a request without a movement; who asked for it may do so too.",
        ),
        Row(
            "adjust list",
            "adjust:adjustments",
            "List the latest requests, those that wait for a decision unless you ask for others.",
        ),
        Row(
            "adjust show",
            "adjust:adjustments",
            "Show one request, with the balance now and as it would leave it.",
        ),
        Row("inbox", "inbox:inbox_commands", "Money that is not where somebody expects it."),
        Row(
            "inbox list",
            "inbox:inbox_commands",
            "List what is open, the oldest first, after a look at what was decided since.",
        ),
        Row(
            "inbox show", "inbox:inbox_commands", "Show one exception, and what was done about it."
        ),
        Row(
            "inbox take",
            "inbox:inbox_commands",
            "Put your name to an exception, also in the place of somebody else's.",
        ),
        Row(
            "inbox release", "inbox:inbox_commands", "Leave an exception that was taken to others."
        ),
        Row(
            "inbox resolve",
            "inbox:inbox_commands",
            "Close an exception for ever, with a note that says what was done.",
        ),
    ),
    "What happened": (
        Row(
            "show",
            "show:show_command",
            "Show what has this id: a player, a movement, an event, or a request (its Request-Id).",
        ),
        Row("movement", "movements:movements", "What became of a movement."),
        Row(
            "movement show",
            "movements:movements",
            "Show what was asked under an id, what was decided, and why.",
        ),
        Row("round", "movements:rounds", "What was played in an event."),
        Row(
            "round show",
            "movements:rounds",
            "Show what was staked and paid in an event, and each movement that led to it.",
        ),
        Row(
            "dispute",
            "disputes:dispute_command",
            "Gather all about one transaction id: request, answers, round, time line, proof.",
        ),
        Row(
            "statement",
            "reports:statement_command",
            "Show a player's statement: every movement, between what they had before and after.",
        ),
        Row("balance", "reports:balance_command", "Show what a player had at a moment."),
        Row("export", "reports:export", "The journal by period: movements, rounds, sessions."),
        Row("export movements", "reports:export", "Every movement that was decided."),
        Row("export rounds", "reports:export", "Every round that was opened, with its sums."),
        Row("export sessions", "reports:export", "Every session that was begun."),
        Row(
            "export state",
            "reports:export",
            "Export the state of an agent's players, as `wallet import` elsewhere reads it.",
        ),
        Row(
            "import",
            "takeover:import_command",
            "Bring players in from another wallet: balances, open bets, decided ids, tokens.",
        ),
        Row(
            "shadow",
            "shadow:shadow_command",
            "Decide a copy of another wallet's traffic here, and report every difference.",
        ),
        Row("report", "reports:report", "What finance and a regulator ask for."),
        Row(
            "report daily",
            "reports:report",
            "Report a day: every account, revenue by hour, and re-settlements of earlier days.",
        ),
        Row(
            "report funds",
            "reports:report",
            "Report player money that must be held apart; exit code 1 if the bank holds less.",
        ),
        Row(
            "report debts",
            "reports:report",
            "Report negative balances: their age, what was recovered and what written off.",
        ),
    ),
    "Check and prove": (
        Row(
            "audit",
            "audit:audit_command",
            "Check every law of the ledger; exit code 1 and the offenders if one is broken.",
        ),
        Row(
            "reconcile",
            "reconcile:reconcile_command",
            "Hold an aggregator's report against the journal; exit code 1 on any difference.",
        ),
        Row("seal", "seals:seals", "Seal the ledger, so that nobody can rewrite it unnoticed."),
        Row(
            "prove",
            "seals:prove_command",
            "Make a proof of a movement that others can check without us.",
        ),
        Row(
            "verify-proof",
            "seals:verify_command",
            "Check a proof, without database or network; exit code 1 if it does not hold.",
        ),
    ),
    "Integrate": (
        Row("agent", "agents:agents", "The operator's platforms, which call the transfer API."),
        Row(
            "agent key",
            "agents:agents",
            "Make a new key of 256 bits for an agent, and say how to put it into WALLET_AGENTS.",
        ),
        Row(
            "agent webhook-secret",
            "agents:agents",
            "Make a new secret that signs an agent's webhooks, to put into WALLET_WEBHOOKS.",
        ),
        Row(
            "call",
            "game_side:call_command",
            "Call a method of the callback API as the game side does; exit code 0 if all is well.",
        ),
        Row(
            "bet",
            "game_side:bet_command",
            "Place a bet as the game side does, with a token that it asks for; on a sandbox only.",
        ),
        Row(
            "win",
            "game_side:win_command",
            "Pay the win of a bet as the game side does; on a sandbox only.",
        ),
        Row(
            "cancel",
            "game_side:cancel_command",
            "Give a bet back as the game side does (BetPlacingAbort); on a sandbox only.",
        ),
        Row(
            "sign",
            "game_side:sign_command",
            "Print the signature of these fields: what the header Hash-Authorization must hold.",
        ),
        Row(
            "verify-signature",
            "game_side:verify_command",
            "Check a signature of these fields; exit code 1, and what made it wrong, if it is.",
        ),
        Row(
            "transfer",
            "transfer:transfer",
            "Call the transfer API as an agent does; exit code 0 only for an answer of code 0.",
        ),
        Row(
            "simulate",
            "simulate:simulate_command",
            "Play the aggregator or Betby against a running sandbox; exit code 1 if any cent "
            "differs.",
        ),
    ),
}
"""By the heading under which `wallet --help` lists them."""
