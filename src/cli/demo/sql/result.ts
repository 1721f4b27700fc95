/** What passes between the service and the program with the database, as lines of JSON. */

export interface Query {
  /** One statement. */
  readonly sql: string;
  /** Who asks. */
  readonly name: string;
}

export type Result = Rows | SqlFault;

export interface Rows {
  /** Empty where the statement gives no rows. */
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows given, or changed. */
  readonly count: number;
  /** There are more rows than are given. */
  readonly isCut: boolean;
}

export interface Column {
  readonly name: string;
  readonly type: 'integer' | 'real' | 'text';
}

/** The statement went wrong. */
export interface SqlFault {
  /** Five characters (PostgreSQL, appendix A). */
  readonly code: string;
  readonly message: string;
}
