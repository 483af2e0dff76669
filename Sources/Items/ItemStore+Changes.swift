import Postgres
import Vial

// The statements that change or delete one item.
extension ItemStore {
    /// Changes an item, if the conditions hold and it is not like that already. The row is locked first, so that the
    /// compared values are the latest ones, whatever ran at the same time. `Fate` has the outcomes; no row when there is
    /// no such item.
    static let update = Statement(
        "update_item",
        """
        WITH target AS (
            SELECT \(Item.boundedColumns),
                ($2::text IS NULL OR $2::text IS NOT DISTINCT FROM name::text COLLATE "C")
                    AND (NOT $4::bool OR $3::text IS NOT DISTINCT FROM description::text COLLATE "C") AS is_same,
                coalesce(\(ItemTag.sql) = ANY($5::timestamptz[]), true) AS is_required,
                coalesce(\(ItemTag.sql) = ANY($6::timestamptz[]), false) AS is_excluded
            FROM items WHERE id = $1::int8 FOR UPDATE
        ), changed AS (
            UPDATE items SET
                name = coalesce($2::text, name::text),
                description = CASE WHEN $4::bool THEN $3::text ELSE description::text END,
                updated_at = \(ItemTag.next)
            WHERE id = $1::int8 AND EXISTS (SELECT FROM target WHERE is_required AND NOT is_excluded AND NOT is_same)
            RETURNING \(Item.boundedColumns)
        )
        SELECT *, 'changed' FROM changed
        UNION ALL
        SELECT id, name, description, created_at, updated_at, CASE
            WHEN is_excluded THEN 'refused'
            -- Also if the state is not the required one: the change appears to have been made already.
            WHEN is_same THEN 'same'
            WHEN is_required THEN 'dropped'
            ELSE 'refused'
        END
        FROM target WHERE NOT EXISTS (SELECT FROM changed)
        """,
        kind: .update, result: Item.byteLimit)
    /// Deletes an item, if the conditions hold; locked first, as above.
    static let delete = Statement(
        "delete_item",
        """
        WITH target AS (
            SELECT coalesce(\(ItemTag.sql) = ANY($2::timestamptz[]), true)
                AND NOT coalesce(\(ItemTag.sql) = ANY($3::timestamptz[]), false) AS is_fit
            FROM items WHERE id = $1::int8 FOR UPDATE
        ), deleted AS (
            DELETE FROM items WHERE id = $1::int8 AND EXISTS (SELECT FROM target WHERE is_fit) RETURNING 1
        )
        SELECT CASE
            WHEN NOT is_fit THEN 'refused'
            WHEN EXISTS (SELECT FROM deleted) THEN 'changed'
            ELSE 'dropped'
        END
        FROM target
        """,
        kind: .update)

    /// What a statement did with an item.
    private enum Fate: String, ColumnValue {
        case changed
        /// Nothing: it already was as requested.
        case same
        /// Nothing: a precondition does not hold.
        case refused
        /// Nothing, because of a trigger of the table.
        case dropped
    }

    /// The outcome of a change or a deletion.
    enum Outcome<Value: Sendable>: Sendable {
        case done(Value)
        /// There is no such item.
        case missing
        /// A precondition does not hold.
        case refused
    }

    /// Changes an item, or finds that it already is as requested.
    ///
    /// - Parameter conditions: `If-None-Match: *` is not checked.
    /// - Returns: the item afterwards; nil if it has texts longer than a new item's, which the statement does not
    ///   return.
    func update(
        _ id: Int64, _ change: ItemChange, if conditions: Preconditions
    ) -> Query<Outcome<Item?>> {
        let (isSet, description): (Bool, String?) =
            if case .set(let text) = change.description { (true, text) } else { (false, nil) }
        let parameters: [Parameter] = [
            .int64(id), .optionalText(change.name), .optionalText(description), .bool(isSet),
            .value(conditions.requiredTimes), .value(conditions.excludedTimes),
        ]
        return pool.query(Self.update, parameters) { rows in
            try Self.outcome(rows, fateAt: 5) { try Item.lackTexts(rows) ? nil : Item($0) }
        }
    }

    /// Deletes an item.
    ///
    /// - Parameter conditions: as for `update`.
    func delete(_ id: Int64, if conditions: Preconditions) -> Query<Outcome<Void>> {
        let parameters: [Parameter] = [
            .int64(id), .value(conditions.requiredTimes), .value(conditions.excludedTimes),
        ]
        return pool.query(Self.delete, parameters) { rows in
            try Self.outcome(rows, fateAt: 0) { _ in }
        }
    }

    private static func outcome<Value>(
        _ rows: Rows, fateAt column: Int, _ value: (Row) throws -> Value
    ) throws -> Outcome<Value> {
        guard let row = rows.first else { return .missing }
        switch try row[column] as Fate {
        case .changed, .same: return .done(try value(row))
        case .refused: return .refused
        case .dropped: throw DatabaseError.droppedByTrigger
        }
    }
}
