import Chassis
import HTTPTypes
import Vial

let batchPattern = "/api/items/batch"

/// `POST /api/items/batch`: several items at once, all or none.
func addBatch(to app: inout App, _ store: ItemStore, itemsCreated: Service.Context.Counter) {
    app.post(batchPattern) { request in
        let conditions = try Preconditions(request)
        let key = try IdempotencyKey(request)
        let new = try NewItems(request)
        try conditions.requireNoTags()
        let isMinimal = request.prefersMinimal
        let created = { @Sendable (items: CreatedItems) in
            try isMinimal ? Answer.minimal(status: .created) : Answer.json(items, status: .created)
        }
        guard let key else {
            return store.insert(new).map { items in
                itemsCreated.increment(by: items.count)
                return try created(items)
            }
        }
        let hash = sha256(request.body)
        return .task {
            switch try await store.insertOnce(new, key: key, hash: hash) {
            case .created(let items):
                itemsCreated.increment(by: items.count)
                return try created(items)
            case .repeated(let items): return try created(items).field("Idempotent-Replayed", "true")
            case .conflict: throw HTTPError.keyReused
            }
        }
    }
}
