public import Chassis
import HTTP1
import HTTPTypes
import Postgres
public import Vial

/// The items' routes.
///
/// - Parameters:
///   - itemsCreated: counts each created item.
///   - requiresPreconditions: whether a change or deletion without `If-Match` is refused.
public func addItems(
    to app: inout App, _ store: ItemStore, itemsCreated: Service.Context.Counter, requiresPreconditions: Bool = false
) {
    let collection = Array("\(app.basePath)/api/items".utf8)
    app.offer("application/json")
    app.get("/api/items") { request in
        let conditions = try Preconditions(request)
        return store.page(try PageRequest(request)).map { page in try page.answer(path: collection, if: conditions) }
    }
    addCreation(to: &app, store, collection: collection, itemsCreated: itemsCreated)

    app.get("/api/items/{id}") { (request, id: Int64) in
        let conditions = try Preconditions(request)
        return store.find(id).map { item in
            guard let item else { throw HTTPError(noItem: id) }
            return try .json(item, if: conditions)
        }
    }
    addChanges(to: &app, store, collection: collection, requiresPreconditions: requiresPreconditions)
    addBatch(to: &app, store, itemsCreated: itemsCreated)

    app.onError(DatabaseError.self) { error, request in
        if let item = ItemTooLong(error) { return HTTPError(item) }
        switch request.head.knownMethod {
        // A read breaks no rule of the table.
        case .get, .head: return HTTPError(refusedSearch: error, of: request)
        case let method:
            return HTTPError(
                refusedItem: error, isDeletion: method == .delete, isOfBatch: request.route?.pattern == batchPattern)
        }
    }
}

private func addCreation(
    to app: inout App, _ store: ItemStore, collection: [UInt8], itemsCreated: Service.Context.Counter
) {
    let created = { @Sendable (item: Item, isMinimal: Bool) in
        let answer =
            try isMinimal
            ? Answer.minimal(status: .created, tag: item.entityTag) : .json(tagged: item, status: .created)
        return try answer.field("Location", utf8: item.path(in: collection))
    }
    app.post("/api/items") { request in
        let key = try IdempotencyKey(request)
        let conditions = try Preconditions(request)
        let new = try request.json(NewItem.self).validated()
        try conditions.requireNoTags()
        let isMinimal = request.prefersMinimal
        guard let key else {
            return store.insert(new).map { item in
                itemsCreated.increment()
                return try created(item, isMinimal)
            }
        }
        let hash = sha256(request.body)
        return .task {
            switch try await store.insertOnce(new, key: key, hash: hash) {
            case .created(let item):
                itemsCreated.increment()
                return try created(item, isMinimal)
            case .repeated(let item): return try created(item, isMinimal).field("Idempotent-Replayed", "true")
            case .conflict: throw HTTPError.keyReused
            }
        }
    }
}

private func addChanges(to app: inout App, _ store: ItemStore, collection: [UInt8], requiresPreconditions: Bool) {
    app.put("/api/items/{id}") { (request, id: Int64) in
        let conditions = try Preconditions(request, isRequired: requiresPreconditions)
        let change = ItemChange(replacing: try request.json(NewItem.self).validated(for: id))
        let isMinimal = request.prefersMinimal
        return store.update(id, change, if: conditions) { item in
            // Without a tag: the item is not the request's content byte by byte (RFC 9110 §9.3.4).
            if isMinimal { return try .minimal() }
            return try .json(item).field("Content-Location", utf8: item.path(in: collection))
        }
    }

    app.patch("/api/items/{id}", accepts: .mergePatch) { (request, id: Int64) in
        let conditions = try Preconditions(request, isRequired: requiresPreconditions)
        let change = try request.json(ItemPatch.self).validated(for: id)
        let isMinimal = request.prefersMinimal
        return store.update(id, change, if: conditions) { item in
            try isMinimal ? .minimal(tag: item.entityTag) : .json(tagged: item)
        }
    }

    app.delete("/api/items/{id}") { (request, id: Int64) in
        let conditions = try Preconditions(request, isRequired: requiresPreconditions)
        if conditions.ifNoneMatch == .any { return store.refuse(id) }
        return store.delete(id, if: conditions).map { outcome in
            try outcome.get(id)
            return .noContent
        }
    }
}

extension ItemStore {
    /// The answer to a change of an item.
    ///
    /// - Parameter make: creates the answer from the changed item.
    fileprivate func update(
        _ id: Int64, _ change: ItemChange, if conditions: Preconditions,
        _ make: @escaping @Sendable (Item) throws -> Answer
    ) -> Answer {
        if conditions.ifNoneMatch == .any { return refuse(id) }
        return update(id, change, if: conditions).map { outcome in
            if let item = try outcome.get(id) { return try make(item) }
            // Its texts are longer than a new item's, so they are read by the statement that takes such.
            return find(id).map { item in
                guard let item else { throw HTTPError(noItem: id) }
                return try make(item)
            }
        }
    }

    /// The answer to a write that must find no item (`If-None-Match: *`): clients cannot create one at a path.
    fileprivate func refuse(_ id: Int64) -> Answer {
        find(id).map { item -> Answer in
            throw item == nil ? HTTPError(noItem: id) : .preconditionFailed
        }
    }
}

extension ItemStore.Outcome {
    /// - Throws: `HTTPError` when the item was not written.
    fileprivate func get(_ id: Int64) throws(HTTPError) -> Value {
        switch self {
        case .done(let value): return value
        case .missing: throw HTTPError(noItem: id)
        case .refused: throw .preconditionFailed
        }
    }
}

extension HTTPError {
    static let keyReused = HTTPError(.unprocessableContent, "The Idempotency-Key was used with another body.")
        .of(.keyReused)

    fileprivate init(noItem id: Int64) {
        self.init(.notFound, "There is no item \(id).")
    }
}
