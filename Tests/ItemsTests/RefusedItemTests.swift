import HTTPTypes
import Testing
import Vial

@testable import Items
@testable import Postgres

struct RefusedItemTests {
    private func refusal(
        _ state: String, constraint: String? = nil, table: String? = "items", column: String? = nil
    ) -> HTTPError? {
        HTTPError(
            refusedItem: .server(
                .init(
                    sqlState: state, message: "internal", constraint: constraint, table: table, column: column)))
    }

    @Test(arguments: ["22001", "22021", "22P05", "54000"])
    func `a text that the table does not take is 422`(state: String) {
        let error = refusal(state, table: nil)
        #expect(error?.status == .unprocessableContent)
        #expect(error?.errors == [])
    }

    @Test func `a rule of one column names it`() {
        #expect(
            refusal("23502", column: "description")?.errors == [.init(field: "description", message: "is required")])
        #expect(refusal("23502", column: "name")?.errors == [.init(field: "name", message: "is required")])
        for field in ["name", "description"] {
            let error = refusal("23514", constraint: "items_\(field)_check")
            #expect(error?.status == .unprocessableContent)
            #expect(error?.errors == [.init(field: field, message: "is refused by the database")])
        }
    }

    @Test func `any other check is 422 without a name`() {
        let error = refusal("23514", constraint: "secret_rule")
        #expect(error?.status == .unprocessableContent)
        #expect(error?.errors == [])
        #expect(error?.detail == "The item breaks a rule of the database.")
    }

    @Test(arguments: ["23503", "23505", "23P01"]) func `what depends on other rows is 409`(state: String) {
        #expect(refusal(state, constraint: "secret_rule")?.status == .conflict)
    }

    @Test func `what no request is to blame for stays a fault of the server`() {
        // A column that the service does not know, a number that is taken, another table's rule, and the rest.
        #expect(refusal("23502", column: "owner") == nil)
        #expect(refusal("23505", constraint: "items_pkey") == nil)
        #expect(refusal("23505", constraint: "idempotency_keys_pkey", table: "idempotency_keys") == nil)
        #expect(refusal("23514", constraint: "items_name_check", table: "audit") == nil)
        #expect(refusal("23000") == nil)
        #expect(refusal("42P01") == nil)
        #expect(refusal("57014") == nil)
        #expect(HTTPError(refusedItem: .connectionLost) == nil)
    }
}
