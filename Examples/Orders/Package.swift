// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "orders",
    dependencies: [.package(name: "items", path: "../..")],
    targets: [
        .executableTarget(
            name: "orders",
            dependencies: [
                .product(name: "Chassis", package: "items"), .product(name: "Postgres", package: "items"),
                .product(name: "Vial", package: "items"),
            ]),
        .testTarget(name: "OrdersTests", dependencies: ["orders"]),
    ])
