"""Runs migrations on the database that the caller configured."""

from alembic import context
from sqlalchemy import create_engine, pool

import hub.access.models
import hub.billing.models
import hub.jobs.models
import hub.metering.models
import registry.tables
from registry.database import Base

TABLES = (hub.access.models, hub.billing.models, hub.jobs.models, hub.metering.models, registry.tables)
"""Importing them is what puts every table on `Base.metadata`."""

_LOCK = 0x636F6E6368  # "conch": two processes that upgrade at once wait for each other

engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
with engine.connect() as connection:
    connection.exec_driver_sql(f"select pg_advisory_lock({_LOCK})")
    connection.commit()
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_type=True, compare_server_default=True
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.exec_driver_sql(f"select pg_advisory_unlock({_LOCK})")
    connection.commit()
engine.dispose()
