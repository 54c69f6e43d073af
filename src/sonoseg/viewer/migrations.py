"""The form of the review store, step by step; an earlier one is brought to this one when it is opened."""

STEPS = (
    """
    CREATE TABLE cases (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, added TEXT NOT NULL,
        spacing_row REAL, spacing_column REAL, series TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX cases_series ON cases (series);
    CREATE TABLE files (case_id INTEGER PRIMARY KEY REFERENCES cases ON DELETE CASCADE, content BLOB NOT NULL);
    CREATE TABLE frames (
        case_id INTEGER NOT NULL REFERENCES cases ON DELETE CASCADE, number INTEGER NOT NULL,
        height INTEGER NOT NULL, width INTEGER NOT NULL, spacing_row REAL, spacing_column REAL,
        seconds REAL, rate REAL, coloured INTEGER NOT NULL, picture BLOB NOT NULL, PRIMARY KEY (case_id, number)
    );
    CREATE TABLE predictions (
        case_id INTEGER NOT NULL, number INTEGER NOT NULL, checksum TEXT NOT NULL, model TEXT NOT NULL,
        made TEXT NOT NULL, lesions INTEGER NOT NULL, mask TEXT NOT NULL, probability BLOB NOT NULL,
        PRIMARY KEY (case_id, number, checksum),
        FOREIGN KEY (case_id, number) REFERENCES frames ON DELETE CASCADE
    );
    CREATE TABLE corrections (
        id INTEGER PRIMARY KEY AUTOINCREMENT, case_id INTEGER NOT NULL, number INTEGER NOT NULL,
        reader TEXT NOT NULL, at TEXT NOT NULL, action TEXT NOT NULL, mask TEXT NOT NULL,
        FOREIGN KEY (case_id, number) REFERENCES frames ON DELETE CASCADE
    );
    CREATE INDEX corrections_frame ON corrections (case_id, number, id);
    CREATE TABLE decisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT, case_id INTEGER NOT NULL, number INTEGER NOT NULL,
        reader TEXT NOT NULL, at TEXT NOT NULL, decision TEXT NOT NULL, comment TEXT NOT NULL,
        FOREIGN KEY (case_id, number) REFERENCES frames ON DELETE CASCADE
    );
    CREATE INDEX decisions_frame ON decisions (case_id, number, id);
    """,
    "ALTER TABLE predictions ADD COLUMN presence REAL;",
    "ALTER TABLE decisions ADD COLUMN checksum TEXT;",
)
"""SQL of each step; a store of version n has seen the first n. A step that was released is never changed."""

VERSION = len(STEPS)
