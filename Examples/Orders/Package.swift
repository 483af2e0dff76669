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
            ],
            // Makes internals visible to tests of a release build too.
            swiftSettings: [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]),
        .testTarget(name: "OrdersTests", dependencies: ["orders"]),
    ])
