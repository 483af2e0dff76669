import HTTPTypes
import Postgres
import Vial

extension DatabaseError {
    /// A trigger of the table dropped the row of a write, without an error (`RETURN NULL`).
    static let droppedByTrigger = DatabaseError.unexpectedResult("a trigger of the table dropped the row")
}

extension HTTPError {
    /// The answer for an item that the table's own rules refuse, by SQLSTATE (PostgreSQL documentation, appendix A): an
    /// existing table may have narrower columns and further constraints. Nil for errors that the request did not cause.
    ///
    /// - Parameters:
    ///   - isDeletion: whether the item was to be deleted.
    ///   - isOfBatch: whether it is one of several items, of which PostgreSQL does not say which.
    init?(refusedItem refusal: DatabaseError, isDeletion: Bool = false, isOfBatch: Bool = false) {
        if refusal == .droppedByTrigger {
            self.init(droppedByTrigger: isDeletion)
            return
        }
        guard case .server(let error) = refusal else { return nil }
        switch error.sqlState {
        // division_by_zero, with which the statement of a batch undoes it when a trigger has dropped some of its rows.
        case "22012" where !refusal.isOfFunction: self.init(droppedByTrigger: isDeletion)
        // string_data_right_truncation; program_limit_exceeded, for a text in an index.
        case "22001", "54000":
            self.init(.unprocessableContent, "A text of the item is longer than the database takes.")
        // character_not_in_repertoire, untranslatable_character: the database is not in UTF-8.
        case "22021", "22P05":
            self.init(.unprocessableContent, "The item has a character that the database cannot store.")
        // The constraint belongs to the table whose row refers to the item.
        case "23503" where isDeletion && !refusal.isOfFunction:
            self.init(.conflict, "Something else refers to the item.")
        case "23502", "23514", "23503", "23505", "23P01":
            guard Self.isOfItems(error, isOfFunction: refusal.isOfFunction) else { return nil }
            self.init(brokenConstraint: error, isOfBatch: isOfBatch)
        default: return nil
        }
    }

    /// The answer to a search whose text the database cannot represent: no item can contain it. Nil for other errors.
    ///
    /// - Parameter request: the read that failed.
    init?(refusedSearch refusal: DatabaseError, of request: Request) {
        // untranslatable_character. An item's texts are translated too, so without a searched text it is theirs.
        guard case .server(let error) = refusal, error.sqlState == "22P05",
            (try? ListParameters(request.head))?.q != nil
        else { return nil }
        self = .unstorableSearch
    }

    static let unstorableSearch = HTTPError(
        .badRequest, "Query parameter q has a character that the database cannot store.")

    /// Whether the rule belongs to the items' table. PostgreSQL names the partition in place of its table, and a
    /// domain's check without a table. The keys' table has no rule that a request could break, and any other rule is a
    /// trigger's.
    private static func isOfItems(_ error: DatabaseError.ServerError, isOfFunction: Bool) -> Bool {
        error.table == "items" || (error.table != "idempotency_keys" && !isOfFunction)
    }

    /// Whether a value that must be unique is a number that the table assigned: then the sequence is behind, which no
    /// client can repair. The columns are unknown for a table with row security. An exclusion may compare numbers to
    /// distinguish rows.
    private static func isTakenNumber(_ error: DatabaseError.ServerError) -> Bool {
        if error.constraint == "items_pkey" || error.keyColumns == "id" { return true }
        return error.sqlState == "23505" && error.keyColumns?.split(separator: ", ").contains("id") == true
    }

    private init?(brokenConstraint error: DatabaseError.ServerError, isOfBatch: Bool) {
        switch (error.sqlState, error.column, error.constraint) {
        case ("23502", let column?, _) where column == "name" || column == "description":
            self.init(rule: column, "is required", isOfBatch: isOfBatch)
        case ("23514", _, "items_name_check"):
            self.init(rule: "name", "is refused by the database", isOfBatch: isOfBatch)
        case ("23514", _, "items_description_check"):
            self.init(rule: "description", "is refused by the database", isOfBatch: isOfBatch)
        // Without a name it is not a check: the table has no partition for the row.
        case ("23514", _, _?): self.init(.unprocessableContent, "The item breaks a rule of the database.")
        case ("23503", _, _): self.init(.conflict, "The item refers to something that does not exist.")
        case ("23505", _, _), ("23P01", _, _):
            if Self.isTakenNumber(error) { return nil }
            self.init(.conflict, "Another item has a value that may occur only once.")
        // A column that this service does not know.
        default: return nil
        }
    }

    /// A trigger that drops a row is a rule of the table, as a constraint is.
    private init(droppedByTrigger isDeletion: Bool) {
        self =
            isDeletion
            ? HTTPError(.conflict, "A rule of the database keeps the item.")
            : HTTPError(.unprocessableContent, "The item breaks a rule of the database.")
    }

    private init(rule field: String, _ message: String, isOfBatch: Bool) {
        let error =
            isOfBatch
            ? FieldError(field: "items", message: "has an item whose \(field) \(message)")
            : FieldError(field: field, message: message)
        self.init(.unprocessableContent, "The item breaks a rule of the database.", errors: [error])
    }
}
