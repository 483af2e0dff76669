import Postgres

/// SQL of a sample of the table's names, which shows how common a part of them is.
///
/// It has the blocks at equal distances, a power of two, so that it reads the same ones until the table has doubled,
/// and they stay in the server's memory. One row of each block is enough: neighbours resemble each other.
enum Sample {
    /// Blocks of a sample, at most.
    static let blockLimit = 512
    /// Rows of a block, assumed for a table without statistics: as many short items as fit.
    private static let rowsPerBlock = 100
    /// Consecutive blocks of the sample show different ones of their first rows: some may be deleted.
    private static let placeCount = 4

    /// The blocks of the table, the distance between those of the sample, and the rows: an estimate, because the
    /// statistics are from the last VACUUM or ANALYZE, and -1 before the first one. Unknown for a partitioned table
    /// without statistics.
    static let size = """
        size AS MATERIALIZED (
            SELECT blocks, (2 ^ ceil(ln(greatest(blocks, \(blockLimit))::float8 / \(blockLimit)) / ln(2::float8)))::int8
                AS distance,
                CASE
                    WHEN relkind <> 'r' THEN CASE WHEN reltuples > 0 THEN reltuples ELSE 'infinity' END
                    WHEN reltuples > 0 AND relpages > 0 THEN reltuples / relpages * blocks
                    ELSE blocks * \(rowsPerBlock)
                END::float8 AS rows
            FROM (
                SELECT relkind, reltuples::float8, relpages,
                    pg_relation_size(oid) / current_setting('block_size')::int8 AS blocks
                FROM pg_class WHERE oid = to_regclass('items')
            ) AS found
        )
        """

    /// As a search looks at them.
    static let names = """
        sample AS MATERIALIZED (
            SELECT \(ListIndex.searched("items.name")) AS name FROM items WHERE ctid = ANY(ARRAY(
                SELECT format('(%s,%s)', block, 1 + block / distance % \(placeCount))::tid
                FROM size, generate_series(0, blocks - 1, distance) AS block
            ))
        )
        """
}
