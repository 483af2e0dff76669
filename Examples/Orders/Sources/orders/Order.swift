import FoundationEssentials
import Postgres
import Vial

/// An order in the database and in responses.
struct Order: Encodable, Sendable {
    let id: UUID
    let customer: String
    let amount: ExactDecimal
    let details: NewOrder.Details?
    let placedAt: Timestamp

    init(_ row: Row) throws {
        (id, customer, amount, placedAt) = try (row[0], row[1], row[2], row[4])
        details = try row.json(3)
    }
}

/// The body of a request that creates or replaces an order.
struct NewOrder: Decodable, Sendable {
    struct Details: Codable, Sendable {
        let isGift: Bool
        let parcels: Int
    }

    let customer: String
    let amount: ExactDecimal
    let details: Details?

    /// - Throws: `HTTPError` 422 with all broken rules.
    func validated() throws -> NewOrder {
        var errors: [HTTPError.FieldError] = []
        if !(1...200).contains(customer.unicodeScalars.count) || customer.utf8.contains(0) {
            errors.append(.init(field: "customer", message: "must have 1 to 200 characters, none of them U+0000"))
        }
        if !amount.isFinite || amount.isNegative || amount.description.utf8.count > 15 {
            errors.append(.init(field: "amount", message: "must be a number from 0 on, of at most 15 characters"))
        }
        guard errors.isEmpty else { throw HTTPError(.unprocessableContent, "The order breaks a rule.", errors: errors) }
        return self
    }
}
