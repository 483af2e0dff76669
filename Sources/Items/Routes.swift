public import Chassis
import HTTP1
import HTTPTypes
import Postgres
public import Vial

/// The items' routes.
///
/// - Parameter itemsCreated: counts each created item.
public func addItems(to app: inout App, _ store: ItemStore, itemsCreated: Service.Context.Counter) {
    let collection = Array("\(app.basePath)/api/items".utf8)
    app.get("/api/items") { request in
        store.page(try PageRequest(request)).map { page in
            let answer = try Answer.json(page)
            guard let link = page.link(path: collection) else { return answer }
            return try answer.field("Link", utf8: link)
        }
    }

    app.get("/api/items/{id}") { (_, id: Int64) in
        store.find(id).map { item in
            guard let item else { throw HTTPError(.notFound, "There is no item \(id).") }
            return try .json(item)
        }
    }

    let created = { @Sendable (item: Item) in
        try Answer.json(item, status: .created).field("Location", utf8: item.path(in: collection))
    }
    app.post("/api/items") { request in
        let key = try IdempotencyKey(request)
        let new = try request.json(NewItem.self).validated()
        guard let key else {
            return store.insert(new).map { item in
                itemsCreated.increment()
                return try created(item)
            }
        }
        let hash = sha256(request.body)
        return .task {
            switch try await store.insertOnce(new, key: key, hash: hash) {
            case .created(let item):
                itemsCreated.increment()
                return try created(item)
            case .repeated(let item): return try created(item).field("Idempotent-Replayed", "true")
            case .conflict: throw HTTPError(.unprocessableContent, "The Idempotency-Key was used with another body.")
            }
        }
    }

    app.onError(DatabaseError.self) { error, request in
        if let item = ItemTooLong(error) { return HTTPError(item) }
        // A read breaks no rule of the table.
        return request.method == .post ? HTTPError(refusedItem: error) : nil
    }
}
