"""One database, two engines: SQLite (WAL) embedded, PostgreSQL for more than one machine.

Each room declares its own tables on its own ``MetaData`` and owns one Alembic branch; SQLAlchemy
Core is used throughout (docs/adr/0002-storage-and-acknowledgement.md).
"""

from ennead.database.engine import Database, insert_ignore, upsert
from ennead.database.types import JSONDocument, UTCDateTime

__all__ = ["Database", "JSONDocument", "UTCDateTime", "insert_ignore", "upsert"]
