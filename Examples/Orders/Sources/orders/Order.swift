import Chassis
import FoundationEssentials
import Postgres
import Vial

/// An order in the database and in answers.
struct Order: Encodable, Representation {
    static let schema = Schema.object(
        "Order", [.readOnly("id", .uuid)] + NewOrder.body.properties + [.readOnly("placedAt", .timestamp)])

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

/// Orders sorted by key, and the key behind which they begin.
struct OrderList: Encodable, Representation {
    static let schema = Schema.object("OrderList", [.list("orders", of: Order.self)])
    static let after = QueryInput { read in read("after", .orAbsent(.uuid)) }
    let orders: [Order]
}

/// The body of a request that creates or replaces an order.
struct NewOrder {
    struct Details: Codable {
        let isGift: Bool
        let parcels: Int
    }

    let customer: String
    let amount: ExactDecimal
    let details: Details?
    static let details = BodyInput("Details") { read in
        Details(isGift: read("isGift", .bool), parcels: read("parcels", .int(1...1000)))
    }
    static let body = BodyInput("NewOrder") { read in
        NewOrder(
            customer: read("customer", .text(1...200, example: "Ada")),
            amount: read("amount", .decimal(characters: 15, allowsNegative: false)),
            details: read("details", .orNull(.object(details))))
    }
}
