/**
 * What a new database begins with: bounds in pages of 4 KiB, tables to look at and to write into, and as much of
 * PostgreSQL's information_schema as tells which tables there are. `whoami()` is who asks.
 */
export const FIRST_TABLES = `
  ATTACH ':memory:' AS information_schema;
  PRAGMA information_schema.max_page_count = 16;
  PRAGMA main.max_page_count = 4096;

  CREATE VIEW information_schema.tables AS
    SELECT 'public' AS table_schema, name AS table_name, iif(type = 'view', 'VIEW', 'BASE TABLE') AS table_type
    FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%';
  CREATE VIEW information_schema.columns AS
    SELECT 'public' AS table_schema, list.name AS table_name, info.name AS column_name,
      info.cid + 1 AS ordinal_position, lower(info.type) AS data_type, info.dflt_value AS column_default
    FROM pragma_table_list AS list JOIN pragma_table_info(list.name) AS info WHERE list.schema = 'main';

  CREATE TABLE services (name TEXT PRIMARY KEY, port INTEGER, since INTEGER, speaks TEXT);
  INSERT INTO services VALUES
    ('ftp', 21, 1971, 'text'), ('smtp', 25, 1982, 'text'), ('irc', 6667, 1988, 'text'), ('ldap', 389, 1993, 'binary'),
    ('ssh', 22, 1995, 'binary'), ('postgresql', 5432, 1996, 'binary'), ('vnc', 5900, 1998, 'binary'),
    ('mqtt', 1883, 1999, 'binary'), ('amqp', 5672, 2003, 'binary'), ('redis', 6379, 2009, 'text');
  CREATE TABLE guests (name TEXT DEFAULT (whoami()), said TEXT);
  INSERT INTO guests VALUES ('sallyport', 'welcome');
`;
