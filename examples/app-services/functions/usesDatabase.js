exports = function() {
  return context.services.get("mongodb-atlas").db("shop").collection("orders").findOne({});
};
