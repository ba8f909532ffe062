exports = async function(order) {
  const response = await context.http.post({
    url: context.environment.values.ordersUrl,
    headers: { "X-Order": [order._id.toString()] },
    body: { total: order.total.toString() },
    encodeBodyAsJSON: true,
  });
  return { status: response.statusCode, said: EJSON.parse(response.body.text()) };
};
